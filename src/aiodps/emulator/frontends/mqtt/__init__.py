"""emulator/frontends/mqtt"""
