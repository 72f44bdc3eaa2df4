"""Print the handlers of all signals and those that are blocked."""

import signal

handlers = {number: signal.getsignal(number) for number in sorted(signal.valid_signals())}
print({int(number): getattr(handler, "name", "a handler") for number, handler in handlers.items()})
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
