-- no-transaction
CREATE UNIQUE INDEX CONCURRENTLY guests_seat ON guests (seat);
