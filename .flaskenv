FLASK_APP=api.commands
