"""An uploaded photo: examined, decoded in a child process, rendered, stored."""
