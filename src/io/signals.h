// How a run reacts to signals. First SIGINT or SIGTERM: finish or save the image in work, then exit 75 (the runner
// asks stop_requested between steps). Second: _exit(130) at once; the journal stays valid. SIGUSR1: print a status
// line; when the run has a time limit: stop, as batch systems send it shortly before the end. SIGHUP: stop if a
// terminal was there to hang up, otherwise ignored. SIGPIPE and SIGXFSZ: ignored, the write returns the error.
#pragma once
#include <string_view>

namespace purescope {

void install_stop_handlers(bool time_limit = false);

bool stop_requested();
int stop_signal();      // the signal that asked for the stop, 0 if none did
void request_stop();    // the same from inside, for example at the time limit
bool take_status_request();  // true once after each SIGUSR1

// Text for stdout. When the reader has gone (EPIPE) this and all later text is dropped and the run goes on; false
// then. Other errors (a full disk behind a redirection) fail with 74.
bool print_out(std::string_view text);

}  // namespace purescope
