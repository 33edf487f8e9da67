package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gen/formula"
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// A call of few elements takes as long as its instructions, and a function that chooses among others puts their arguments by twice. So the
// families that such calls go to have a function of assembly on amd64, for float32 if they part that from narrower elements: with the same
// arguments and behind them the choices, it finds the member in a table and leaves it all that it was called with.
var jumped = []string{
	"FakeQuantize", "FakeQuantizeZeroPoint", "QuantizeWhole", "Quantize", "QuantizeZeroPoint", "Dequantize", "DequantizeZeroPoint", "MinMax", "Encode", "Decode",
}

// jumps is a table of some of a family's members. It has a row for each implementation, and in that a place for each choice of variants.
type jumps struct {
	family *family
	name   string
	isas   []isa
	kinds  []span
	to     map[string]string // from the choices to the functions
}

// span are the choices of a kind that members have, the first of them, and how many.
type span struct {
	kind         *ir.Kind
	first, count int
}

// newJumps returns nil where there is no such function.
func newJumps(f *family, isas []isa) *jumps {
	members, narrow := f.elements()
	if !slices.Contains(jumped, f.name) || narrow == nil && !tabled(isas) {
		return nil
	}
	j := &jumps{family: f, name: "jump" + f.name, isas: isas, to: map[string]string{}}
	if narrow != nil { // package kernels calls it without another function between
		j.name = f.name + "F32"
	}
	for i, v := range members[0].Variants {
		s := span{v.Kind, len(v.Kind.Choices), 0}
		last := 0
		for _, k := range members {
			c := slices.Index(v.Kind.Names, k.Variants[i].Name)
			s.first, last = min(s.first, c), max(last, c)
		}
		s.count = last - s.first + 1
		j.kinds = append(j.kinds, s)
	}
	for _, k := range members {
		if !slices.EqualFunc(plan.Args(k), f.args, func(a, b plan.Arg) bool { return a.Name == b.Name }) {
			panic("gen: " + k.Name + " does not take what others of its family take")
		}
		for _, user := range isas {
			if p := provider(isas, &user, k.Name); p != nil {
				j.to[fmt.Sprint(user.name, k.Variants)] = k.Name + p.name
			}
		}
	}
	return j
}

// choices are what follows the family's arguments.
func (j *jumps) choices() []plan.Arg {
	list := []plan.Arg{{Name: "isa", Type: "ISA"}}
	for _, s := range j.kinds {
		if s.count > 1 {
			list = append(list, plan.Arg{Name: kindName(s.kind), Type: s.kind.Type})
		}
	}
	return list
}

// call prints the call of the function.
func (j *jumps) call(b *bytes.Buffer) {
	var names []string
	for _, a := range append(slices.Clone(j.family.args), j.choices()...) {
		names = append(names, a.Name)
	}
	fmt.Fprintf(b, "%s(%s)\n", j.name, strings.Join(names, ", "))
}

// tabled tells whether the function is one of assembly.
func tabled(isas []isa) bool { return len(isas) > 1 }

// declare prints the function's declaration, or where it is none of assembly the function.
func (j *jumps) declare(b *bytes.Buffer) {
	var params []string
	for _, a := range append(slices.Clone(j.family.args), j.choices()...) {
		params = append(params, a.Name+" "+a.Type)
	}
	fmt.Fprintf(b, "\n// %s is %s", j.name, j.family.name)
	if j.name == j.family.name+"F32" {
		b.WriteString(" for float32")
	}
	signature := fmt.Sprintf("func %s(%s)", j.name, strings.Join(params, ", "))
	if tabled(j.isas) {
		fmt.Fprintf(b, ".\n//\n//go:noescape\n%s\n", signature)
		return
	}
	fmt.Fprintf(b, ".\n%s {\n", signature)
	if len(j.isas) > 0 {
		for _, s := range j.kinds {
			if s.count == 1 {
				fmt.Fprintf(b, "const %s = %s\n", kindName(s.kind), s.kind.Choices[s.first])
			}
		}
		members, _ := j.family.elements()
		j.family.choose(b, j.isas, members)
	}
	b.WriteString("panic(\"asm: no such implementation of " + j.family.name + "\")\n}\n")
}

// jumpFile has the functions and their tables.
func jumpFile(arch string) []byte {
	var b bytes.Buffer
	b.WriteString(header + "//go:build !purego\n\n#include \"textflag.h\"\n")
	isas := isasOf(arch)
	for _, f := range families() {
		if j := newJumps(f, isas); j != nil {
			j.print(&b)
		}
	}
	return b.Bytes()
}

func (j *jumps) print(b *bytes.Buffer) {
	offset, at := 0, map[string]int{}
	for _, a := range append(slices.Clone(j.family.args), j.choices()...) {
		size := sizeOf(a.Type)
		offset = (offset + size - 1) &^ (size - 1)
		at[a.Name] = offset
		offset += size
	}
	fmt.Fprintf(b, "\nTEXT ·%s(SB), NOSPLIT|NOFRAME, $0-%d\n\tMOVBLZX isa+%d(FP), AX\n", j.name, offset, at["isa"])
	row, first := 1, j.isas[0].number
	for _, s := range j.kinds {
		row *= s.count
		first = first*s.count + s.first
		if s.count > 1 {
			name := kindName(s.kind)
			fmt.Fprintf(b, "\tMOVBLZX %s+%d(FP), CX\n\tIMUL3L $%d, AX, AX\n\tADDL CX, AX\n", name, at[name], s.count)
		}
	}
	fmt.Fprintf(b, "\tLEAQ ·%sTable<>(SB), CX\n\tJMP %d(CX)(AX*8)\n\n", j.name, -8*first)
	for i, user := range j.isas {
		if user.number != j.isas[0].number+i {
			panic("gen: implementations of an architecture are not side by side")
		}
		for place := range row {
			variants, rest := make([]ir.Variant, len(j.kinds)), place
			for k := len(j.kinds) - 1; k >= 0; k-- {
				s := j.kinds[k]
				variants[k] = s.kind.Of(s.kind.Names[s.first+rest%s.count])
				rest /= s.count
			}
			to, ok := j.to[fmt.Sprint(user.name, variants)]
			if !ok {
				panic(fmt.Sprintf("gen: %s has a hole at %s%v", j.name, user.name, variants))
			}
			fmt.Fprintf(b, "DATA ·%sTable<>+%d(SB)/8, $·%s(SB)\n", j.name, 8*(i*row+place), to)
		}
	}
	fmt.Fprintf(b, "GLOBL ·%sTable<>(SB), RODATA, $%d\n", j.name, 8*row*len(j.isas))
}

// sizeOf is how many bytes an argument takes.
func sizeOf(t string) int {
	switch t {
	case "int32", "uint32", "float32":
		return 4
	case "ISA", formula.Codes.Type, formula.Elems.Type:
		return 1
	}
	if t == "int" || t == "unsafe.Pointer" || strings.HasPrefix(t, "*") {
		return 8
	}
	panic("gen: how large is an argument of " + t + "?")
}
