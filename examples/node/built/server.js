// Serves the data that the migration made, and refuses to serve any other schema.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const store = JSON.parse(fs.readFileSync(path.join(process.env.DATA_DIR ?? 'data', 'store.json'), 'utf8'));
if (store.schema !== 2) {
  throw new Error(`this server needs schema 2, but found ${store.schema}`);
}

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify(store)}\n`);
});
server.listen(Number(process.env.PORT ?? 8080), () => {
  console.log(`listening on port ${server.address().port}`);
});

// PID 1 gets no default signal action: without this handler or `--init`, `docker stop` would take
// its whole grace period.
process.on('SIGTERM', () => {
  console.log('closing');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
