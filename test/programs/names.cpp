// Functions whose names need demangling: namespaces, templates, overloads, operators, an anonymous namespace.
// names SECONDS: burns CPU time in each of them, in a child too.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

static volatile unsigned long sink;

namespace outer::inner {
struct Worker {
  double until;
  __attribute__((noinline)) void operator()() const;
  __attribute__((noinline)) unsigned long run(int x) const { return burn(x); }
  __attribute__((noinline)) unsigned long run(const char *x) const { return burn(x[0]); }
  template <typename T> __attribute__((noinline)) unsigned long burn(T x) const {
    unsigned long sum = 0;
    for (int i = 0; i < 200000; i++) sum = sum * 31 + static_cast<unsigned long>(x) + i;
    sink = sum;
    return sum;
  }
};

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Worker::operator()() const {
  while (now() < until) {
    sink = run(3) + 1;
    sink = run("x") + 1;
  }
}
}  // namespace outer::inner

namespace {
__attribute__((noinline)) void hidden(double until) {
  outer::inner::Worker{until}();
  sink = 0;
}
}  // namespace

int main(int argc, char **argv) {
  double until = outer::inner::now() + (argc > 1 ? atof(argv[1]) : 0.5);
  pid_t child = fork();
  hidden(until);
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return 0;
}
