// A health check as a command: exits 0 if the server answers.
fetch(`http://127.0.0.1:${process.env.PORT ?? 8080}/`).then(
  (response) => process.exit(response.ok ? 0 : 1),
  () => process.exit(1),
);
