# Gives a guest the next seat.
class SeatGuestJob
  include Sidekiq::Worker

  def perform(name)
    Guest.create!(name: name, seat: Guest.maximum(:seat) + 1)
  end
end
