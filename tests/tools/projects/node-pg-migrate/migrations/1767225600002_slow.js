exports.up = (pgm) => {
  pgm.sql("INSERT INTO guests (name) SELECT 'Guest ' || nextval('executions')");
  pgm.sql("SELECT pg_sleep(2)");
};
