// Command compare holds two measurements of lowbit bench against each other:
//
//	lowbit bench --json > before.json # with the one program
//	lowbit bench --json > after.json  # with the other
//	go run ./bench/compare before.json after.json
//
// A file may hold several measurements one behind the other (>>): the best time of
// each operation counts. Let the two programs take turns on one idle core.
// It prints the geometric mean of the ratios after/before, that of each
// implementation and size, and the worst ten.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/lowbit-go/lowbit/bench"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: compare before.json after.json")
		os.Exit(2)
	}
	before, err := read(os.Args[1])
	after, err2 := read(os.Args[2])
	if err = errors.Join(err, err2); err == nil {
		err = report(os.Stdout, before, after)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// key is what is measured.
type key struct {
	op, impl string
	n        int
}

// read takes the best time per element of each operation from a file.
func read(name string) (map[key]float64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	times := map[key]float64{}
	for d := json.NewDecoder(f); ; {
		var results []bench.Result
		if err := d.Decode(&results); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, r := range results {
			k := key{r.Op, r.Impl, r.N}
			if t, ok := times[k]; !ok || r.NsPerElement < t {
				times[k] = r.NsPerElement
			}
		}
	}
	return times, nil
}

// change is an operation with its times per element.
type change struct {
	key
	before, after float64
}

func (c change) ratio() float64 { return c.after / c.before }

// report prints how the times changed of what is in both.
func report(w io.Writer, before, after map[key]float64) error {
	var all []change
	for k, t := range before {
		if t2, ok := after[k]; ok {
			all = append(all, change{k, t, t2})
		}
	}
	if len(all) == 0 {
		return errors.New("the files have no operation in common")
	}
	slices.SortFunc(all, func(a, b change) int {
		return cmp.Or(cmp.Compare(b.ratio(), a.ratio()), cmp.Compare(a.op, b.op), cmp.Compare(a.impl, b.impl), cmp.Compare(a.n, b.n))
	})
	type part struct {
		impl string
		n    int
	}
	parts := map[part][]change{}
	for _, c := range all {
		parts[part{c.impl, c.n}] = append(parts[part{c.impl, c.n}], c)
	}
	fmt.Fprintf(w, "%d operations, geometric mean of after/before %.3f\n\n", len(all), mean(all))
	var keys []part
	for p := range parts {
		keys = append(keys, p)
	}
	slices.SortFunc(keys, func(a, b part) int { return cmp.Or(cmp.Compare(a.impl, b.impl), cmp.Compare(a.n, b.n)) })
	for _, p := range keys {
		fmt.Fprintf(w, "%-11s %9d  %.3f of %d\n", p.impl, p.n, mean(parts[p]), len(parts[p]))
	}
	fmt.Fprintln(w)
	for _, c := range all[:min(10, len(all))] {
		fmt.Fprintf(w, "%.3f  %-34s %-11s %9d  %8.4f ns before, %8.4f after\n", c.ratio(), c.op, c.impl, c.n, c.before, c.after)
	}
	return nil
}

// mean is the geometric mean of the ratios.
func mean(changes []change) float64 {
	sum := 0.0
	for _, c := range changes {
		sum += math.Log(c.ratio())
	}
	return math.Exp(sum / float64(len(changes)))
}
