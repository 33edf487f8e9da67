package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/lowbit-go/lowbit/bench"
	"github.com/lowbit-go/lowbit/kernels"
)

// benchCommand is lowbit bench: the table of package bench.
type benchCommand struct {
	JSON bool    `name:"json" help:"Print JSON."`
	Op   pattern `placeholder:"RE" help:"Only operations whose name matches; those of go doc ./bench."`
	N    []int   `placeholder:"N,..." help:"Numbers of elements; by default 4096, 65536, 1048576, 4194304, 16777216 and 33554432: L1, L2, between the caches, DRAM."`
}

// Sizes in L1, in L2, in one or another cache behind it, and in DRAM.
const (
	sizeL1   = 4096
	sizeL2   = 65536
	sizeDRAM = 32 << 20
)

var sizesBetween = []int{1 << 20, 4 << 20, 16 << 20}

// benchTime is how long each operation and each copy is measured.
const benchTime = 200 * time.Millisecond

// benchEach is how long a measurement takes altogether, as experience has it.
const benchEach = 4 * benchTime

// benchBytes is how much memory the largest operation takes per element.
const benchBytes = 18

// Run measures every operation with every implementation, or with that which is forced.
func (c *benchCommand) Run(t *tool) error {
	config := bench.Config{Ops: bench.Ops(c.Op.Regexp), Impls: kernels.Implementations(), Sizes: c.N, Workers: t.workers, MinTime: benchTime}
	if err := c.check(); err != nil {
		return err
	}
	if t.isa != "" || os.Getenv("LOWBIT_ISA") != "" {
		config.Impls = []string{kernels.Implementation()}
	}
	if len(c.N) == 0 {
		config.Sizes = sizesUpTo(fitting(sizeDRAM))
	}
	if len(config.Ops) == 0 {
		return usagef("--op: no operation has a name that %q matches", c.Op.String())
	}
	count := config.Count()
	if count == 0 {
		return usagef("--n: is %v, want enough elements for a group of %s", c.N, config.Ops[0].Name)
	}

	var print func(*bench.Result) error
	if c.JSON {
		print = benchJSON(t)
	} else {
		print = benchTable(t, time.Duration(count)*benchEach)
	}
	bar := newProgress(t.stderr, "bench", int64(count), false)
	defer bar.end()
	var failed error
	ctx, stop := context.WithCancel(t.ctx)
	defer stop()
	config.Done = func(r bench.Result) {
		bar.name(r.Op)
		bar.add(1)
		if failed = print(&r); failed != nil {
			stop()
		}
	}
	_, err := bench.Run(ctx, config)
	if failed == nil {
		failed = print(nil)
	}
	switch {
	case failed != nil:
		return failed
	case t.ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return plain(err)
	}
	return nil
}

// check refuses numbers of elements that memory does not hold.
func (c *benchCommand) check() error {
	most := math.MaxInt / benchBytes / 2
	free, known := systemMemory("MemAvailable")
	if known {
		most = int(free / benchBytes)
	}
	for _, n := range c.N {
		if n < 1 {
			return usagef("--n: is %d, want at least 1", n)
		}
		if n > most {
			return usagef("--n: is %d, want at most %d: an operation takes up to %d bytes per element", n, most, benchBytes)
		}
	}
	return nil
}

// benchTable prints results as rows of a table, as they come. Its widths are those of the longest names and numbers that there are.
func benchTable(t *tool, long time.Duration) func(*bench.Result) error {
	list := newTable(t.stdout, column{head: "OP", most: 60, wide: 34}, column{head: "IMPL", most: 12, wide: 10}, column{head: ">N", most: 20, wide: 9},
		column{head: ">NS/ELEMENT", most: 20}, column{head: ">GB/S", most: 12, wide: 6}, column{head: ">TIMES A COPY", most: 14})
	fmt.Fprintf(t.stdout, "%s, %s/%s, workers %d, about %v\n\n", printable(cpuName()), runtime.GOOS, runtime.GOARCH, t.workers, long.Round(time.Second))
	return func(r *bench.Result) error {
		if r == nil {
			return nil
		}
		list.add(r.Op, r.Impl, strconv.Itoa(r.N), fmt.Sprintf("%.4f", r.NsPerElement), fmt.Sprintf("%.1f", r.GBPerS), fmt.Sprintf("%.2f", r.CopyRatio))
		return list.flush()
	}
}

// benchJSON prints an array with a line for each result, as they come.
func benchJSON(t *tool) func(*bench.Result) error {
	before := "[\n"
	return func(r *bench.Result) error {
		if r == nil {
			if before == "[\n" {
				before = "["
			} else {
				before = "\n"
			}
			_, err := io.WriteString(t.stdout, before+"]\n")
			return err
		}
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = io.WriteString(t.stdout, before+string(line))
		before = ",\n"
		return err
	}
}

// sizesUpTo returns those that are measured unless others are asked for, most being the largest.
func sizesUpTo(most int) []int {
	sizes := []int{sizeL1, sizeL2}
	for _, n := range sizesBetween {
		if n < most {
			sizes = append(sizes, n)
		}
	}
	return append(sizes, most)
}

// fitting lowers a size until the buffers of the largest operation are a fourth of the memory that is free.
func fitting(n int) int {
	available, ok := systemMemory("MemAvailable")
	for ok && n > sizeL2 && int64(n) > available/4/benchBytes {
		n /= 2
	}
	return n
}

// cpuName is the CPU's own name, as far as the system tells it.
func cpuName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		if name := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(text); name != nil {
			return string(name[1])
		}
	}
	return "CPU of unknown name"
}
