"""The fault machine: random schedules of customers and faults over the real daemon, and a judge.

A schedule comes from its seed alone: who does what when, and what goes wrong when. The daemon is
a process of its own, forked from one that has imported everything; beside it are the pretend
Safaricom and router, a tunnel that can be cut, and the database. After the last step every fault
is lifted, things get time to settle, and the oracle judges from outside: by Safaricom's ledger,
the router's tables and logins, what the portal told the customers, and the raw documents.

What is real: processes, sockets, SIGKILL, files, SQLite and a MongoDB-wire server. What is
pretended: time limits are about a hundredth of the real ones (`pace`); time that passes and a
clock that is wrong are offsets behind the daemon's clock (`shared`); a power cut is a SIGKILL
after which the write-ahead log loses everything behind the last commit that SQLite forced to the
disk (`power`). Not simulated: a disk that lies about fsync, broken sectors, a file system that
loses a rename. The schedule is the same for the same seed; how the operating system interleaves
it is not, so a failure may need more than one run to show again.
"""
