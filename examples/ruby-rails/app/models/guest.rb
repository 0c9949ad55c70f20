class Guest < ActiveRecord::Base
end
