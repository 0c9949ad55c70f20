// Serves the data that the migrations made.
'use strict';
const http = require('node:http');
const database = require('./data-source');

const server = http.createServer((request, response) => {
  database.query('SELECT name, seat FROM guests ORDER BY seat').then(
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
database.initialize().then(() => {
  server.listen(Number(process.env.PORT ?? 8080), () => {
    console.log(`listening on port ${server.address().port}`);
  });
});
