// Serves the data that the migrations made.
'use strict';
const http = require('node:http');
const knex = require('knex')(require('./knexfile'));

const server = http.createServer((request, response) => {
  knex('guests').select('name', 'seat').orderBy('seat').then(
    (guests) => {
      response.setHeader('content-type', 'application/json');
      response.end(`${JSON.stringify(guests)}\n`);
    },
    (error) => {
      console.error(error.message);
      response.writeHead(500).end();
    },
  );
});
server.listen(Number(process.env.PORT ?? 8080), () => {
  console.log(`listening on port ${server.address().port}`);
});

// PID 1 gets no default signal action.
process.on('SIGTERM', () => {
  server.close(() => knex.destroy().then(() => process.exit(0)));
  server.closeAllConnections();
});
