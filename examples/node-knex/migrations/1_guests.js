'use strict';
exports.up = async (knex) => {
  await knex.schema.createTable('guests', (table) => {
    table.text('name').notNullable();
  });
  await knex('guests').insert([{ name: 'Ada Lovelace' }, { name: 'Grace Hopper' }]);
};
exports.down = (knex) => knex.schema.dropTable('guests');
