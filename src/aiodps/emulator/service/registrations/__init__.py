"""emulator/service/registrations"""
