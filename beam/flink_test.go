//go:build linux

package beam

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// flinkJars are the jars of Flink, in a package of Python's registry, and of Beam's job server, which flink/pom.xml names.
const flinkPackage = "apache-flink-libraries==1.19.3"

// flink is a cluster on the loopback address.
type flink struct {
	t                  *testing.T
	dir                string
	rpc, rest, job     int
	artifacts          int
	libraries, servers []string // jars
}

// A cluster of a job manager and two task managers loses a worker, then a task manager, and writes what the tool writes. LOWBIT_FLINK names a
// folder where the jars are, or are to be put: Maven and pip fetch them by name.
func TestFlink(t *testing.T) {
	jars := os.Getenv("LOWBIT_FLINK")
	if jars == "" {
		t.Skip("LOWBIT_FLINK names no folder for the jars")
	}
	dir := t.TempDir()
	f := &flink{t: t, dir: dir}
	f.fetch(jars)
	in, want, got := filepath.Join(dir, "in"), filepath.Join(dir, "want"), filepath.Join(dir, "got")
	makeModel(t, in, 48)
	tool(t, "quantize", "--preset", "int4-g32", "-o", want, in)
	for _, port := range []*int{&f.rpc, &f.rest, &f.job, &f.artifacts} {
		*port = freePort(t)
	}
	f.start("job-manager", f.libraries, "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", f.config(0))
	managers := []*exec.Cmd{f.manager(1), f.manager(2)}
	f.start("job-server", f.servers, "org.apache.beam.runners.flink.FlinkJobServerDriver", fmt.Sprintf("--flink-master=127.0.0.1:%d", f.rest),
		"--job-host=127.0.0.1", fmt.Sprintf("--job-port=%d", f.job), fmt.Sprintf("--artifact-port=%d", f.artifacts), fmt.Sprintf("--expansion-port=%d", freePort(t)),
		"--artifacts-dir="+filepath.Join(dir, "artifacts"))
	f.waitFor(f.job)

	self := program(t, ".", "./cmd/lowbit-beam")
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o666))
	run := exec.Command(self, "-in", in, "-out", got, "-preset", "int4-g32", "-piece", "4096", "-span", "1",
		"-runner", "universal", "-endpoint", fmt.Sprintf("127.0.0.1:%d", f.job), "-environment_type", "PROCESS",
		"-environment_config", fmt.Sprintf(`{"command":%q}`, self), "-worker_binary", empty, "-parallelism", "2")
	output := f.log("run")
	run.Stdout, run.Stderr = output, output
	begun := time.Now()
	require.NoError(t, run.Start())
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	marks := func() int {
		all, err := filepath.Glob(filepath.Join(dir, ".got.lowbit-beam-*", "marks", "*", "*"))
		require.NoError(t, err)
		return len(all)
	}
	reach := func(n int) {
		for marks() < n {
			select {
			case err := <-ended:
				require.Fail(t, "the run ended too early", "%v: %s", err, f.tail("run"))
			case <-time.After(2 * time.Millisecond):
			}
		}
	}
	reach(100)
	for _, m := range managers {
		if workers := children(t, m.Process.Pid); len(workers) > 0 {
			t.Logf("%3.0f s: %d pieces are done: worker %d is killed", time.Since(begun).Seconds(), marks(), workers[0])
			require.NoError(t, syscall.Kill(workers[0], syscall.SIGKILL))
			break
		}
	}
	reach(400)
	t.Logf("%3.0f s: %d pieces are done: task manager %d is killed, and another started", time.Since(begun).Seconds(), marks(), managers[0].Process.Pid)
	orphans := children(t, managers[0].Process.Pid)
	require.NoError(t, managers[0].Process.Kill())
	for _, pid := range orphans {
		syscall.Kill(pid, syscall.SIGKILL) // a machine that dies takes its workers along
	}
	f.manager(3)
	if err := <-ended; err != nil {
		require.NoError(t, err, "%s", f.tail("run"))
	}
	t.Logf("%3.0f s: done\n%s", time.Since(begun).Seconds(), f.tail("run"))
	same(t, filesOf(t, want), filesOf(t, got))
}

// fetch finds the jars in a folder, or brings them there.
func (f *flink) fetch(dir string) {
	fetch := func(command ...string) {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		require.NoError(f.t, err, "%s: %s", command, out)
	}
	servers, libraries := filepath.Join(dir, "jobserver"), filepath.Join(dir, "flink")
	if _, err := os.Stat(servers); err != nil {
		fetch("mvn", "-q", "-B", "-f", "flink/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+servers)
	}
	if _, err := os.Stat(libraries); err != nil {
		fetch("python3", "-m", "pip", "-q", "install", "--no-deps", "--target", libraries, flinkPackage)
	}
	var err error
	f.servers, err = filepath.Glob(filepath.Join(servers, "*.jar"))
	require.NoError(f.t, err)
	f.libraries, err = filepath.Glob(filepath.Join(libraries, "pyflink", "lib", "*.jar"))
	require.NoError(f.t, err)
	require.NotEmpty(f.t, f.servers)
	require.NotEmpty(f.t, f.libraries)
}

// config writes the configuration of the job manager, 0, or of a task manager.
func (f *flink) config(id int) string {
	dir := filepath.Join(f.dir, fmt.Sprint("conf", id))
	require.NoError(f.t, os.Mkdir(dir, 0o777))
	lines := []string{
		"jobmanager.rpc.address: 127.0.0.1", "jobmanager.bind-host: 127.0.0.1", fmt.Sprint("jobmanager.rpc.port: ", f.rpc),
		"rest.address: 127.0.0.1", "rest.bind-address: 127.0.0.1", fmt.Sprint("rest.port: ", f.rest),
		"jobmanager.memory.heap.size: 384m", "jobmanager.memory.off-heap.size: 64m", "jobmanager.memory.jvm-metaspace.size: 192m",
		"taskmanager.host: 127.0.0.1", "taskmanager.bind-host: 127.0.0.1", fmt.Sprint("taskmanager.resource-id: task-manager-", id),
		"taskmanager.numberOfTaskSlots: 1", "taskmanager.cpu.cores: 1.0",
		"taskmanager.memory.task.heap.size: 256m", "taskmanager.memory.task.off-heap.size: 0m",
		"taskmanager.memory.framework.heap.size: 128m", "taskmanager.memory.framework.off-heap.size: 128m",
		"taskmanager.memory.network.min: 64m", "taskmanager.memory.network.max: 64m", "taskmanager.memory.managed.size: 128m",
		"taskmanager.memory.jvm-metaspace.size: 192m", "taskmanager.memory.jvm-overhead.min: 64m", "taskmanager.memory.jvm-overhead.max: 64m",
		"heartbeat.interval: 1000", "heartbeat.timeout: 8000",
		"restart-strategy.type: fixed-delay", "restart-strategy.fixed-delay.attempts: 20", "restart-strategy.fixed-delay.delay: 2 s",
		"io.tmp.dirs: " + f.dir, "blob.storage.directory: " + filepath.Join(f.dir, fmt.Sprint("blobs", id)),
	}
	require.NoError(f.t, os.WriteFile(filepath.Join(dir, "flink-conf.yaml"), []byte(strings.Join(lines, "\n")+"\n"), 0o666))
	return dir
}

// manager starts a task manager.
func (f *flink) manager(id int) *exec.Cmd {
	return f.start(fmt.Sprint("task-manager-", id), f.libraries, "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", f.config(id))
}

// start starts a program of Java's, which ends with the test.
func (f *flink) start(name string, jars []string, class string, args ...string) *exec.Cmd {
	java := []string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	for _, p := range []string{"lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "math", "text", "time", "util", "util.concurrent", "util.concurrent.atomic",
		"util.concurrent.locks"} {
		java = append(java, "--add-opens=java.base/java."+p+"=ALL-UNNAMED")
	}
	java = append(java, "--add-opens=java.base/sun.net.util=ALL-UNNAMED", "--add-exports=java.base/sun.net.util=ALL-UNNAMED", "-cp",
		strings.Join(jars, string(os.PathListSeparator)), class)
	c := exec.Command("java", slices.Concat(java, args)...)
	c.Dir = f.dir
	output := f.log(name)
	c.Stdout, c.Stderr = output, output
	require.NoError(f.t, c.Start())
	f.t.Cleanup(func() {
		for _, pid := range children(f.t, c.Process.Pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		c.Process.Kill()
		c.Wait()
		if f.t.Failed() {
			f.t.Logf("%s:\n%s", name, f.tail(name))
		}
	})
	return c
}

// log makes the file of a program's output, and tail returns its end.
func (f *flink) log(name string) *os.File {
	file, err := os.Create(filepath.Join(f.dir, name+".log"))
	require.NoError(f.t, err)
	f.t.Cleanup(func() { file.Close() })
	return file
}

func (f *flink) tail(name string) string {
	text, _ := os.ReadFile(filepath.Join(f.dir, name+".log"))
	return string(text[max(0, len(text)-3000):])
}

// waitFor waits until somebody listens at a port.
func (f *flink) waitFor(port int) {
	for range 600 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	require.Fail(f.t, "nobody listens", "port %d", port)
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// children are the processes that a process has started.
func children(t *testing.T, pid int) (ids []int) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	for _, f := range files {
		text, _ := os.ReadFile(f)
		for _, word := range strings.Fields(string(text)) {
			id, err := strconv.Atoi(word)
			require.NoError(t, err)
			ids = append(ids, id)
		}
	}
	return ids
}
