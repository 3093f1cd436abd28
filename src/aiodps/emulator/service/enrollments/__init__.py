"""emulator/service/enrollments"""
