'use strict';

exports.Guests1761955200000 = class Guests1761955200000 {
  async up(queryRunner) {
    await queryRunner.query('CREATE TABLE guests (id serial PRIMARY KEY, name text NOT NULL)');
  }

  async down(queryRunner) {
    await queryRunner.query('DROP TABLE guests');
  }
};
