'use strict';
exports.up = async (knex) => {
  await knex.schema.alterTable('guests', (table) => {
    table.integer('seat').unique();
  });
  await knex.raw('UPDATE guests SET seat = 10 + n FROM (SELECT name AS who, row_number() OVER (ORDER BY name) AS n FROM guests) AS numbered WHERE name = who');
};
exports.down = (knex) => knex.schema.alterTable('guests', (table) => table.dropColumn('seat'));
