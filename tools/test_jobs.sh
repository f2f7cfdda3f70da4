# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # log_dir is set by run_jobs_of, sums by the caller
# Jobs of tools/test; sourced, never run. A job is a function job_NAME. Its log, its count of cases
# and, of a doctest program, what each case cost are in $log_dir/NAME.{log,count,costs}.

# A test process keeps about one core busy.
worker_count=$(nproc)

# Writes "passed failed" to NAME.count: doctest's cases where it printed a sum, else one for the
# command. A command that fails for another reason than its cases is a failure of its own.
count_results() {
    local name=$1 status=$2 seconds=$3 line passed=0 failed=0
    line=$(grep -a '^\[doctest\] test cases:' "$log_dir/$name.log" | tail -n 1 || true)
    if [[ $line =~ ([0-9]+)\ passed\ *\|\ *([0-9]+)\ failed ]]; then
        passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
    elif [ "$status" -eq 0 ]; then
        passed=1
    fi
    [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
    echo "$passed $failed" >"$log_dir/$name.count"
    echo "$name: $passed passed, $failed failed (${seconds}s)"
}

run_job() {
    local name=$1 status=0 start=$SECONDS
    PUMICE_TEST_COSTS=$log_dir/$name.costs "job_$name" >"$log_dir/$name.log" 2>&1 </dev/null || status=$?
    count_results "$name" "$status" $((SECONDS - start))
    grep -a '^costs' "$log_dir/$name.log" | sed 's/^/    /' || true
    [ "$(cut -d' ' -f2 "$log_dir/$name.count")" = 0 ] || tail -n 60 "$log_dir/$name.log"
}

# Runs the jobs, as many at a time as there are cores, in their order: the longest come first, so
# that the cores are done at about the same time.
run_jobs() {
    local job
    for job in "$@"; do
        while [ "$(jobs -rp | wc -l)" -ge "$worker_count" ]; do
            wait -n || true
        done
        run_job "$job" &
    done
    wait
    for job in "$@"; do
        [ -f "$log_dir/$job.count" ] || fail "the job $job ended early"
    done
}

# Adds the counts in a folder of logs to $passed and $failed.
add_counts() {
    local count job_passed job_failed
    for count in "$1"/*.count; do
        read -r job_passed job_failed <"$count"
        passed=$((passed + job_passed)) failed=$((failed + job_failed))
    done
}

# Runs a function that runs jobs, with a folder of its own for their logs.
run_jobs_of() {
    log_dir=build/test/$1
    rm -rf "$log_dir"
    mkdir -p "$log_dir"
    "$2"
    add_counts "$log_dir"
}

# The commit whose files these are; nothing where files were changed.
clean_commit() {
    [ -n "$(git status --porcelain)" ] || git rev-parse HEAD
}

# Runs the function part_NAME, unless it passed on this commit before.
run_part() {
    local part=$1 start=$SECONDS failed_before=$failed commit stamp=build/test/$1.passed
    commit=$(clean_commit)
    if [ -n "$commit" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$commit" ]; then
        echo "part $part: passed on $commit before"
        return
    fi
    rm -f "$stamp"
    run_jobs_of "$part" "part_$part"
    echo "part $part: $(((SECONDS - start) / 60)) minutes"
    [ "$failed" -ne "$failed_before" ] || [ -z "$commit" ] || echo "$commit" >"$stamp"
}

# The kernels that a job's cases had compiled, but those of long loops, one a line.
kernels_of() {
    grep -av $'\tlong loops' "$log_dir/$1.costs" | cut -f4 | tr ' ' '\n' | sed '/^$/d' | sort -u
}
