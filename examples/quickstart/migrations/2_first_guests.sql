INSERT INTO guests (name) VALUES ('Ada'), ('Grace');
