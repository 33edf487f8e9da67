package main

import (
	"fmt"

	"github.com/lowbit-go/lowbit/gen/formula"
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Copies are loops that move bytes and do nothing else: what package bench
// holds kernels against. They have no formula; an instruction for each register
// is all there is.

// mix is what one step of a loop reads and writes, in lines of 64 bytes. What is
// written is what was read, again and again if it is more.
type mix struct{ read, written int }

// mixes are what Mix chooses from.
var mixes = []mix{{4, 0}, {4, 1}, {4, 2}, {4, 4}, {4, 5}, {2, 4}, {1, 4}, {1, 16}}

func (x mix) String() string { return fmt.Sprintf("%dto%d", x.read, x.written) }

var (
	mixKind   = &ir.Kind{Type: "Mix", Doc: "Mix is how many lines of 64 bytes a step of Copy reads, and how many it writes."}
	storeKind = &ir.Kind{Type: "Stores", Doc: "Stores is the kind of a copy's stores: NonTemporal ones go past the caches, to 64-byte boundaries.",
		Choices: []string{"Temporal", "NonTemporal"}, Names: []string{"", "NT"}}
)

func init() {
	for _, x := range mixes {
		mixKind.Choices = append(mixKind.Choices, "Mix"+x.String())
		mixKind.Names = append(mixKind.Names, x.String())
	}
}

// kinds are those of all kernels.
func kinds() []*ir.Kind { return append([]*ir.Kind{mixKind, storeKind}, formula.Kinds...) }

// kernels are those with a formula, and the copies behind them: what an
// implementation has that stands by itself.
func kernels() []*ir.Kernel {
	ks := formula.All()
	for _, x := range mixes {
		for _, stores := range storeKind.Names {
			k := ir.New("copy", "Copy", "reads and writes n >= 1 times as many bytes as its mix says, and does nothing else.", mixKind.Of(x.String()), storeKind.Of(stores))
			k.Streams = []*ir.Stream{{Name: "dst", Mem: ir.MemU8, Out: true}, {Name: "src", Mem: ir.MemU8, In: true}}
			ks = append(ks, k)
		}
	}
	return ks
}

// copyOf is the loop of a kernel that has no formula, and whether it stores past the caches.
func copyOf(k *ir.Kernel) (x mix, past, ok bool) {
	for i, v := range mixKind.Names {
		if k.Family == "Copy" && k.Variants[0].Name == v {
			return mixes[i], k.Variants[1].Name != "", true
		}
	}
	return mix{}, false, false
}

// offers tells whether a target has a kernel; NEON's stores know no way past the caches.
func offers(target string, k *ir.Kernel) bool {
	x, past, _ := copyOf(k)
	return !past || x.written > 0 && target != "NEON"
}

// mover is a machine that moves lines of 64 bytes, each through registers of its own.
type mover interface {
	LoadLine(line int, from plan.Addr)
	StoreLine(to plan.Addr, line int, past bool)
	Fence() // puts stores past the caches before what follows
}

// generateCopy prints such a loop as a function.
func generateCopy(k *ir.Kernel, x mix, past bool, m file) {
	const line = 64
	name, r := k.Name+m.Name(), m.GPRs()
	dst, src, n := r[0], r[1], r[2]
	m.Begin(&plan.Func{Kernel: k, Name: name, Doc: []string{name + " " + k.Doc}, Args: plan.Args(k)})
	m.Arg(dst, "dst")
	m.Arg(src, "src")
	m.Arg(n, "n")
	m.LoopHead("loop")
	stored := 0
	for i := range x.read {
		m.LoadLine(i, plan.Addr{Reg: src, Disp: line * i})
		for ; stored*x.read < (i+1)*x.written; stored++ {
			m.StoreLine(plan.Addr{Reg: dst, Disp: line * stored}, i, past)
		}
	}
	m.AddImm(src, line*x.read)
	if x.written > 0 {
		m.AddImm(dst, line*x.written)
	}
	m.AddImm(n, -1)
	m.Branch(n, plan.NotEqual, 0, "loop")
	if past {
		m.Fence()
	}
	m.Ret()
}
