class GuestsController < ActionController::API
  def index
    render json: Guest.order(:seat).as_json(only: [:name, :seat])
  end

  def invite
    SeatGuestJob.perform_async(params[:name])
    head :accepted
  end
end
