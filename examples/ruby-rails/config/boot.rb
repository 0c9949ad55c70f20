# An app with a Gemfile requires "bundler/setup" here. This one takes its gems from the system.
