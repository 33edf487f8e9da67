// Command peers measures what others in Go do of what Lowbit does, counts the
// bits in which they differ, and draws the results.
//
//	go run . measure > results.json     # in the form of lowbit bench --json
//	go run . draw -o ../peers.png results.json...
//	go run . compare                    # Lowbit's time over tphakala/simd's, taken in turns
//	LOWBIT_ISA=avx2 SIMD_DISABLE=avx512 go run . compare
//	go run . differ
//
// The peers: github.com/tphakala/simd; github.com/x448/float16 and
// github.com/d4l3k/go-bfloat16 in a loop, as they convert single numbers; and
// "loop", the loop that one writes. All have one thread and one group.
//
// It is a module of its own, so that the peers are no dependencies of Lowbit's.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lowbit-go/lowbit/bench"
	"github.com/lowbit-go/lowbit/kernels"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("peers "+command, flag.ContinueOnError)
	switch command {
	case "measure", "compare":
		least := flags.Int("least", 8, "the smallest size is this power of two")
		most := flags.Int("most", 25, "the largest size is this power of two")
		each := flags.Duration("time", 20*time.Millisecond, "how long each is measured")
		ops := flags.String("ops", "", "compare operations whose names this expression matches")
		if err := flags.Parse(args); err != nil {
			return err
		}
		var sizes []int
		for p := *least; p <= *most; p++ {
			sizes = append(sizes, 1<<p)
		}
		if command == "compare" {
			match, err := regexp.Compile(*ops)
			if err != nil {
				return err
			}
			table(stdout, sizes, compare(match, sizes, *each))
			return nil
		}
		results, err := measure(sizes, *each)
		if err != nil {
			return err
		}
		return print(stdout, results)
	case "draw":
		name := flags.String("o", "peers.png", "file to write")
		if err := flags.Parse(args); err != nil {
			return err
		}
		results, err := read(flags.Args())
		if err != nil {
			return err
		}
		return drawing(*name, results)
	case "differ":
		if err := flags.Parse(args); err != nil {
			return err
		}
		return differ(stdout)
	}
	return fmt.Errorf("want measure, compare, draw or differ; go doc tells more")
}

// measure measures each operation at each size: Lowbit's implementations with assembly, and the peers.
func measure(sizes []int, each time.Duration) (results []bench.Result, err error) {
	c := bench.Config{Sizes: sizes, Workers: 1, MinTime: each}
	add := func(ops []bench.Op, impls []string, name func(impl string) string) {
		if err != nil {
			return
		}
		c.Ops, c.Impls = ops, impls
		var more []bench.Result
		more, err = bench.Run(context.Background(), c)
		for _, r := range more {
			r.Impl = name(r.Impl)
			results = append(results, r)
		}
	}
	for _, op := range operations() {
		match := regexp.MustCompile("^" + regexp.QuoteMeta(op.Name()) + "$")
		add(bench.Ops(match), kernels.Implementations()[1:], func(impl string) string { return impl })
		for _, peer := range op.Peers() {
			add([]bench.Op{op.Op(peer)}, []string{kernels.Implementation()}, func(string) string { return peer })
		}
	}
	return results, err
}

// print writes an array with a line for each result.
func print(w io.Writer, results []bench.Result) error {
	lines := make([]string, len(results))
	for i, r := range results {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines[i] = string(line)
	}
	_, err := fmt.Fprintf(w, "[\n%s\n]\n", strings.Join(lines, ",\n"))
	return err
}

// read reads what print and lowbit bench --json write.
func read(names []string) (results []bench.Result, err error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("no file with results is named")
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var more []bench.Result
		if err := json.Unmarshal(text, &more); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		results = append(results, more...)
	}
	return results, nil
}

// differ prints how many results of each peer are not Lowbit's, and the first.
func differ(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OPERATION\tPEER\tINPUTS\tDIFFER\tOF\tFIRST")
	for _, op := range operations() {
		for _, peer := range op.Peers() {
			for _, d := range op.Differences(peer) {
				first := ""
				if d.Count > 0 {
					first = fmt.Sprintf("%v: %#x, Lowbit %#x", d.Input, d.Peer, d.Lowbit)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\n", op.Name(), peer, d.Inputs, d.Count, d.Of, first)
			}
		}
	}
	return t.Flush()
}
