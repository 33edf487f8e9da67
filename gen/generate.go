package main

import (
	"maps"
	"slices"

	"github.com/lowbit-go/lowbit/gen/formula"
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon"
	"github.com/lowbit-go/lowbit/gen/plan"
	"github.com/lowbit-go/lowbit/gen/x86"
)

const generator = "github.com/lowbit-go/lowbit/gen"

// file is a machine that collects functions and prints them.
type file interface {
	plan.BlockMachine
	plan.Summer
	plan.Transposer
	plan.Differer
	plan.PairLooker
	plan.Randomizer
	mover
	Passages() plan.Passages         // those that its functions call
	Routines(passages plan.Passages) // prints what functions call
	File(generator, pkg string) (asm, stubs []byte, err error)
}

// target is an implementation with its architecture and its kernels; what it
// lacks of them, or of routines, another has for it.
type target struct {
	name, arch string
	open       func() file
	kernels    func() []*ir.Kernel
	others     string // the implementation that has what it lacks
	routines   bool   // it has routines of its own
}

var targets = []target{
	{"avx2", "amd64", func() file { return x86.AVX2() }, forX86, "", true},
	{"avx512", "amd64", func() file { return x86.AVX512() }, wide, "AVX2", true},
	{"avx512vbmi", "amd64", func() file { return x86.AVX512VBMI() }, formula.Listed, "AVX512", false},
	{"neon", "arm64", func() file { return neon.New(generator) }, kernels, "", true},
}

// forX86 are the kernels of AVX2, and wide those of AVX-512.
func forX86() []*ir.Kernel {
	return slices.Concat(kernels(), formula.Values(), formula.Sixes(), formula.Powers(), formula.Streams(), formula.Halves(), formula.HalfBlocks())
}

func wide() []*ir.Kernel {
	upTo256 := func(k *ir.Kernel) bool { return k.UpTo256 }
	return append(slices.DeleteFunc(forX86(), upTo256), formula.Products()...)
}

// loader is a machine whose functions load constants from a file that they share.
type loader interface{ Constants() x86.Constants }

// Generate makes every file of internal/asm in memory.
func Generate() (map[string][]byte, error) {
	out := map[string][]byte{}
	constants := x86.Constants{}
	passages := map[string]plan.Passages{} // by the implementation that has the routines
	closeFile := func(m file, name string, t target) error {
		asm, stubs, err := m.File(generator, "asm")
		if err != nil {
			return err
		}
		if l, ok := m.(loader); ok {
			constants.Merge(l.Constants())
		}
		base := name + "_" + t.name + "_" + t.arch
		out[base+".s"], out[base+".go"] = asm, stubs
		return nil
	}
	for _, t := range targets {
		families := map[string][]*ir.Kernel{}
		for _, k := range t.kernels() {
			families[k.File] = append(families[k.File], k)
		}
		for name, ks := range families {
			m := t.open()
			for _, k := range ks {
				if !offers(m.Name(), k) {
					continue
				}
				if err := generate(k, m); err != nil {
					return nil, err
				}
			}
			if err := closeFile(m, name, t); err != nil {
				return nil, err
			}
			owner := m.Name()
			if !t.routines {
				owner = t.others
			}
			if passages[owner] == nil {
				passages[owner] = plan.Passages{}
			}
			maps.Copy(passages[owner], m.Passages())
		}
	}
	for _, t := range targets {
		if t.routines {
			m := t.open()
			m.Routines(passages[m.Name()])
			if err := closeFile(m, "stage", t); err != nil {
				return nil, err
			}
		}
	}
	out["constants_amd64.s"] = constants.File(generator)
	text, err := packageFile()
	if err != nil {
		return nil, err
	}
	out["asm.go"] = text
	for file, arch := range map[string]string{"dispatch_amd64.go": "amd64", "dispatch_arm64.go": "arm64", "dispatch_none.go": ""} {
		text, err := dispatchFile(arch)
		if err != nil {
			return nil, err
		}
		out[file] = text
	}
	out["dispatch_amd64.s"] = jumpFile("amd64")
	return out, nil
}

// generate prints a kernel as a function, in the way of its kind.
func generate(k *ir.Kernel, m file) error {
	x, past, isCopy := copyOf(k)
	switch {
	case isCopy:
		generateCopy(k, x, past, m)
	case k.Random:
		plan.GenerateRandom(k, m)
	case k.Transposed > 0:
		plan.GenerateTransposed(k, m)
	case k.Pairs > 0:
		plan.GeneratePairs(k, m)
	case k.Powers:
		plan.GeneratePowers(k, m.(plan.Multiplier))
	case k.Stream:
		plan.GenerateBits(k, m.(plan.Unpacker))
	case k.Halves != ir.NoHalves:
		plan.GenerateOnePass(k, m.(plan.OnePasser))
	case k.Differs:
		plan.GenerateDifference(k, m)
	case k.Block != nil:
		return plan.GenerateBlock(k, m)
	case k.Search != nil:
		return plan.GenerateSearch(k, m)
	case k.Sums:
		return plan.GenerateSums(k, m)
	default:
		return plan.Generate(k, m)
	}
	return nil
}
