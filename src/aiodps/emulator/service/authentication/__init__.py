"""emulator/service/authentication"""
