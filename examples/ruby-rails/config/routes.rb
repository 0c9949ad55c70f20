Rails.application.routes.draw do
  root "guests#index"
  post "/guests/:name", to: "guests#invite"
end
