module mosquitto-go-auth

go 1.26.0
