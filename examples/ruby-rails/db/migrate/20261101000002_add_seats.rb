class AddSeats < ActiveRecord::Migration[6.1]
  def up
    add_column :guests, :seat, :integer
    execute "INSERT INTO guests (name, seat) VALUES ('Ada Lovelace', 11), ('Grace Hopper', 12)"
  end
end
