// The service worker: shows what is pushed, and opens the feed at a click.

self.addEventListener("push", (event) => {
  const notice = event.data.json();
  event.waitUntil(self.registration.showNotification(notice.title, {
    body: notice.body,
    data: { url: notice.url },
    renotify: true,
    tag: notice.tag,
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openPage(new URL(event.notification.data.url, self.location.origin)));
});

async function openPage(url) {
  const pages = await self.clients.matchAll({ includeUncontrolled: true, type: "window" });
  const open = pages.find((page) => new URL(page.url).pathname === url.pathname);
  if (!open) return self.clients.openWindow(url.href);
  open.postMessage("show the newest posts");
  return open.focus();
}
