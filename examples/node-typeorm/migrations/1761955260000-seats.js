'use strict';

exports.Seats1761955260000 = class Seats1761955260000 {
  async up(queryRunner) {
    await queryRunner.query('ALTER TABLE guests ADD seat integer');
    await queryRunner.query("INSERT INTO guests (name, seat) VALUES ('Ada Lovelace', 11), ('Grace Hopper', 12)");
  }

  async down(queryRunner) {
    await queryRunner.query('ALTER TABLE guests DROP seat');
  }
};
