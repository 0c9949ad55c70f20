require_relative "boot"
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "sidekiq"

module Seats
  class Application < Rails::Application
    config.load_defaults 6.1
    config.eager_load = true
    config.secret_key_base = "only an example"
    config.logger = ActiveSupport::Logger.new($stderr)
    config.log_level = :info
    config.hosts.clear
    config.active_record.dump_schema_after_migration = false
  end
end
