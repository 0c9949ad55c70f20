// For the server and for `typeorm migration:run -d data-source.js`.
'use strict';
const { DataSource } = require('typeorm');

module.exports = new DataSource({
  type: 'postgres',
  url: process.env.DATABASE_URL,
  migrations: [`${__dirname}/migrations/*.js`],
  synchronize: false, // or every replica changes the schema at its start
  migrationsRun: false, // or every replica migrates
});
