// A page to see the service: sign in, read the feed, hear of new posts.

const TOKEN = "photofeed token";
const $ = (id) => document.getElementById(id);
const state = { token: localStorage.getItem(TOKEN), newestId: "0", stream: null, lastEventId: "" };

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${state.token}` };
  if (!state.token) delete headers.Authorization;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = response.status === 204 ? {} : await response.json();
  if (response.ok) return answer;
  if (response.status === 401 && state.token) signedOut("You have been signed out.");
  throw new Error(answer.detail || answer.title || `The server answered ${response.status}.`);
}

function attempt(work) {
  return async (...arguments_) => {
    $("message").textContent = "";
    try {
      await work(...arguments_);
    } catch (error) {
      $("message").textContent = error.message;
    }
  };
}

function signedOut(message) {
  state.stream?.close();
  state.stream = null;
  state.token = null;
  localStorage.removeItem(TOKEN);
  for (const id of ["posts", "notifications"]) $(id).replaceChildren();
  for (const id of ["menu", "more", "new"]) $(id).hidden = true;
  $("sign-in").hidden = false;
  $("message").textContent = message;
}

const signIn = attempt(async (event) => {
  event.preventDefault();
  const session = await call("POST", "/v1/sessions", {
    username: $("username").value, password: $("password").value,
  });
  $("password").value = "";
  state.token = session.auth_token;
  localStorage.setItem(TOKEN, state.token);
  await start();
});

const signOut = attempt(async () => {
  await unsubscribe().catch(() => {}); // not every browser can; the session's notices end anyway
  await call("DELETE", "/v1/me/sessions/current");
  signedOut("");
});

async function start() {
  $("sign-in").hidden = true;
  $("menu").hidden = false;
  await Promise.all([showNewest(), showNotifications()]);
  listen();
  await offerPush();
}

async function showNewest() {
  const page = await call("GET", "/v1/me/feed?limit=20");
  $("posts").replaceChildren(...page.posts.map(element));
  $("new").hidden = true;
  document.title = "photofeed";
  offerMore(page);
  if (!page.posts.length) $("message").textContent = "No posts yet. Follow somebody.";
  if (page.posts.length) {
    state.newestId = page.posts[0].id;
    await call("PUT", "/v1/me/feed/position", { post_id: state.newestId });
  }
}

async function showOlder() {
  const page = await call("GET", `/v1/me/feed?limit=20&cursor=${encodeURIComponent(state.next)}`);
  $("posts").append(...page.posts.map(element));
  offerMore(page);
}

function offerMore(page) {
  state.next = page.next;
  $("more").hidden = !page.next;
}

async function showNotifications() {
  const { notifications } = await call("GET", "/v1/me/notifications?limit=5");
  $("notifications").replaceChildren(...notifications.map(({ text }) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  if (notifications.length) {
    const newest = { notification_id: notifications[0].id };
    await call("PUT", "/v1/me/notifications/position", newest);
  }
}

function element(post) {
  const item = $("post").content.cloneNode(true);
  item.querySelector(".author").textContent = post.author.name || post.author.username;
  item.querySelector(".caption").textContent = post.caption;
  const time = item.querySelector("time");
  time.dateTime = post.created_at;
  time.textContent = new Date(post.created_at).toLocaleString();
  item.querySelector(".photos").append(...post.photos.map(picture));
  return item;
}

function picture(photo) {
  const image = document.createElement("img");
  image.alt = photo.alt_text || "";
  image.width = photo.width;
  image.height = photo.height;
  image.loading = "lazy";
  image.src = photo.renditions["640"];
  image.srcset = Object.entries(photo.renditions).map(([side, url]) => `${url} ${side}w`).join();
  image.sizes = "(max-width: 42rem) 100vw, 40rem";
  return image;
}

function showCount({ unread }) {
  const known = unread.count || !unread.capped;
  if (!unread.count && known) return;
  const count = unread.count ? `${unread.count}${unread.capped ? "+" : ""} new` : "New posts";
  $("new").textContent = count;
  $("new").hidden = false;
  document.title = `(${count}) photofeed`;
}

async function listen() {
  const token = state.token;
  try {
    const { ticket } = await call("POST", "/v1/me/live/tickets");
    if (token !== state.token) return;
    const query = new URLSearchParams({
      ticket, last_event_id: state.lastEventId || `${state.newestId}-0`,
    });
    const stream = state.stream = new EventSource(`/v1/live?${query}`);
    const on = (name, react) => stream.addEventListener(name, (event) => {
      state.lastEventId = event.lastEventId;
      react(JSON.parse(event.data || "{}"));
    });
    on("tick", showCount);
    on("notification", attempt(showNotifications));
    on("signed-out", () => signedOut("You have been signed out."));
    stream.onerror = () => { // the ticket is used up
      stream.close();
      if (state.stream === stream) listenLater();
    };
  } catch {
    if (token === state.token && token) listenLater();
  }
}

function listenLater() {
  setTimeout(() => { if (state.token) listen(); }, 2500 + Math.random() * 5000);
}

async function worker() {
  if (!("serviceWorker" in navigator)) return null;
  return navigator.serviceWorker.register("/hello/worker.js");
}

async function offerPush() {
  if (!("PushManager" in window)) return;
  const subscription = await (await worker()).pushManager.getSubscription();
  if (subscription) await call("POST", "/v1/me/push-subscriptions", subscription.toJSON());
  $("push").hidden = Boolean(subscription);
}

async function unsubscribe() {
  const subscription = await (await worker())?.pushManager?.getSubscription();
  await subscription?.unsubscribe();
}

const subscribe = attempt(async () => {
  const { key } = await call("GET", "/v1/push/key");
  if (await Notification.requestPermission() !== "granted") {
    throw new Error("Your browser does not allow notifications of this page.");
  }
  const registration = await worker();
  const options = { applicationServerKey: key, userVisibleOnly: true };
  const subscription = await registration.pushManager.subscribe(options);
  await call("POST", "/v1/me/push-subscriptions", subscription.toJSON());
  $("push").hidden = true;
  $("message").textContent = "You will hear of new photos.";
});

$("sign-in").addEventListener("submit", signIn);
$("sign-out").addEventListener("click", signOut);
$("push").addEventListener("click", subscribe);
$("new").addEventListener("click", attempt(showNewest));
$("more").addEventListener("click", attempt(showOlder));
navigator.serviceWorker?.addEventListener("message", attempt(showNewest));
if (state.token) attempt(start)();
else $("sign-in").hidden = false;
