/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * sluice-bench compares two virtio-net drivers in one run. This process only reads the options,
 * starts one measuring process per case and restart (the same program, bench_child.c), gathers
 * their records and reports. Start reading at measure_row(), then bench_child.c, bench_step.c.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "bench_opts.h"
#include "bench_report.h"

static volatile sig_atomic_t is_interrupted;
static volatile pid_t measuring_pid; /* 0: none */

static void
on_signal(int sig)
{
	is_interrupted = sig;
	if (measuring_pid > 0)
		kill(measuring_pid, SIGTERM);
}

/* 0, or -EPIPE if the writer ended before `len` bytes. */
static int
read_all(int fd, void *data, size_t len)
{
	char *p = data;

	while (len > 0) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= n;
	}
	return 0;
}

static int
reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return BENCH_FAILED;
	measuring_pid = 0;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "sluice-bench: the measuring process ended by signal %d (%s)\n",
			WTERMSIG(status),
			WTERMSIG(status) == SIGALRM ? "set-up or tear-down took longer than 60 s" :
						      strsignal(WTERMSIG(status)));
	return BENCH_FAILED;
}

/*
 * Become the measuring process: started anew, so that its memory lies elsewhere each time. An
 * emulator of programs does not follow an execve, and would count nothing then.
 */
static void
become_child(const struct bench_opts *opts, char **argv)
{
	struct bench_opts mine;
	int argc = 0;

	if (!opts->use_marks) {
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	/* As execve would leave them: the handlers are those of the process that waits. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	while (argv[argc] != NULL)
		argc++;
	optind = 0; /* getopt begins again */
	exit(bench_opts_parse(&mine, argc, argv) == 0 ? bench_child_run(&mine, argv[0]) :
							BENCH_USAGE);
}

/* One measuring process; its record and blocks into the places given. An exit status. */
static int
run_child(char **child_argv, const int fds[2], const struct bench_opts *opts,
		struct bench_result *result, struct bench_block *blocks)
{
	const uint32_t nb_blocks = opts->count_instructions ? 0 : opts->nb_blocks;
	pid_t pid;
	int status, ret;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		become_child(opts, child_argv);
	}
	measuring_pid = pid;
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return BENCH_FAILED;
	}
	ret = read_all(fds[0], result, sizeof(*result));
	if (ret == 0 && (result->magic != BENCH_MAGIC || result->nb_blocks != nb_blocks))
		ret = -EPROTO;
	if (ret == 0)
		ret = read_all(fds[0], blocks, nb_blocks * sizeof(*blocks));
	close(fds[0]);
	status = reap(pid);
	return ret != 0 && status == BENCH_OK ? BENCH_FAILED : status;
}

/* The sockets' folder: private, so that no one else can connect. */
static void
remove_dir(const char *dir)
{
	char path[PATH_MAX];
	unsigned int i;

	for (i = 0; i < NB_SIDES; i++) {
		snprintf(path, sizeof(path), "%s/s%u", dir, i);
		unlink(path);
	}
	rmdir(dir);
}

static int
measure_row(struct bench_row *row, const struct bench_opts *opts, int argc, char **argv)
{
	unsigned int i;
	int status = BENCH_OK;

	row->results = calloc(opts->nb_restarts, sizeof(*row->results));
	row->blocks = calloc((size_t)opts->nb_restarts * opts->nb_blocks, sizeof(*row->blocks));
	if (row->results == NULL || row->blocks == NULL)
		return BENCH_FAILED;
	for (i = 0; i < opts->nb_restarts && status == BENCH_OK; i++) {
		char dir[] = "/tmp/sluice-bench-XXXXXX";
		char **child_argv;
		int fds[2];

		if (!isatty(STDERR_FILENO))
			fprintf(stderr, "case %u/%u, queue %u burst %u %s: restart %u/%u\n",
					row->c.nr + 1, row->c.nb, row->c.queue, row->c.burst,
					bench_model_name(row->c.model), i + 1, opts->nb_restarts);
		if (mkdtemp(dir) == NULL || pipe(fds) != 0) {
			perror("sluice-bench: private folder or pipe");
			return BENCH_FAILED;
		}
		child_argv = bench_opts_child_argv(argc, argv, &row->c, i, fds[1], dir);
		status = run_child(child_argv, fds, opts, &row->results[i],
				&row->blocks[(size_t)i * opts->nb_blocks]);
		remove_dir(dir);
		if (is_interrupted)
			return BENCH_FAILED;
	}
	if (status == BENCH_OK && bench_row_estimate(row, opts) != 0)
		status = BENCH_FAILED;
	row->is_complete = status == BENCH_OK;
	return status;
}

static unsigned int
nb_cases(const struct bench_opts *opts)
{
	return opts->queues.nb * opts->bursts.nb * opts->models.nb * opts->pairs.nb *
			opts->loads.nb;
}

/* Combination `i` of the lists; the last list turns fastest. */
static struct bench_case
case_at(const struct bench_opts *opts, unsigned int i)
{
	struct bench_case c = { .nr = i, .nb = nb_cases(opts) };

	c.load = opts->loads.v[i % opts->loads.nb];
	i /= opts->loads.nb;
	c.pairs = opts->pairs.v[i % opts->pairs.nb];
	i /= opts->pairs.nb;
	c.model = opts->models.v[i % opts->models.nb];
	i /= opts->models.nb;
	c.burst = opts->bursts.v[i % opts->bursts.nb];
	c.queue = opts->queues.v[i / opts->bursts.nb];
	return c;
}

/* Every combination of the lists; returns the worst exit status. */
static int
measure_all(struct bench_row *rows, unsigned int *nb_rows, const struct bench_opts *opts, int argc,
		char **argv)
{
	unsigned int i;
	int status = BENCH_OK;

	for (i = 0; i < nb_cases(opts) && !is_interrupted; i++) {
		struct bench_row *row = &rows[(*nb_rows)++];
		int ret;

		row->c = case_at(opts, i);
		ret = measure_row(row, opts, argc, argv);
		if (ret != BENCH_OK)
			status = ret;
		bench_report_row(row, opts);
	}
	return is_interrupted ? BENCH_FAILED : status;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct bench_machine machine;
	struct bench_opts opts;
	struct bench_row *rows;
	unsigned int nb_rows = 0, i;
	FILE *json = NULL;
	int ret, status;

	ret = bench_opts_parse(&opts, argc, argv);
	if (ret != 0)
		return ret > 0 ? BENCH_OK : BENCH_USAGE;
	if (opts.result_fd >= 0)
		return bench_child_run(&opts, argv[0]);

	/* before minutes are spent on what cannot be written */
	if (opts.json_path != NULL) {
		json = fopen(opts.json_path, "we");
		if (json == NULL) {
			fprintf(stderr, "sluice-bench: --json: %s: %s\n", opts.json_path,
					strerror(errno));
			return BENCH_USAGE;
		}
	}
	/* the measuring process ends by the signal; we stay to clean up after it */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	rows = calloc(nb_cases(&opts), sizeof(*rows));
	if (rows == NULL)
		return BENCH_FAILED;
	bench_machine_read(&machine);
	bench_report_head(&machine, &opts);
	status = measure_all(rows, &nb_rows, &opts, argc, argv);
	if (json != NULL && bench_json_write(json, &machine, &opts, rows, nb_rows, argc, argv) != 0)
		status = BENCH_FAILED;
	for (i = 0; i < nb_rows; i++) {
		free(rows[i].results);
		free(rows[i].blocks);
	}
	free(rows);
	return status;
}
