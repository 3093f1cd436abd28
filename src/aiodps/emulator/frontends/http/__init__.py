"""emulator/frontends/http"""
