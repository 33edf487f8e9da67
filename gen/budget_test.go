package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// budget is how many lines of assembly, and how many thousand bytes of text, there may be at most.
type budget struct{ lines, kilobytes int }

// budgets are those of the kernels of a file, for all implementations together. Whoever needs more raises
// one and says in the commit what it buys; whoever needs less lowers it.
var budgets = map[string]budget{
	"backward":              {3700, 85},
	"blocks":                {6810, 202},
	"constants":             {1210, 58},
	"convert":               {7850, 183},
	"copy":                  {1170, 20},
	"dequantize":            {9660, 210},
	"dequantizeF16BF16":     {7250, 156},
	"dequantizefp":          {5490, 116},
	"dequantizefpF16BF16":   {7130, 154},
	"difference":            {130, 2},
	"dispatch":              {120, 4},
	"errors":                {6140, 160},
	"fakequantize":          {10260, 247},
	"fakequantizeF16BF16":   {9830, 228},
	"fakequantizefp":        {3690, 88},
	"fakequantizefpF16BF16": {5250, 124},
	"learn":                 {440, 10},
	"lookup":                {140, 3},
	"minmax":                {17890, 407},
	"pack":                  {1110, 24},
	"params":                {6990, 165},
	"prepare":               {260, 5},
	"productBF16":           {1850, 44},
	"productF16BF16":        {890, 19},
	"productF16":            {1760, 40},
	"quantize":              {11870, 267},
	"quantizeBF16":          {2560, 58},
	"quantizeF16":           {2510, 56},
	"quantizeF16BF16":       {9020, 197},
	"quantizefp":            {11570, 274},
	"quantizefpF16BF16":     {8030, 181},
	"quotient":              {4020, 89},
	"search":                {4400, 107},
	"shorts":                {3750, 84},
	"sixes":                 {480, 12},
	"stage":                 {1940, 33},
	"stochastic":            {2310, 58},
	"transpose":             {480, 10},
	"writeblocks":           {5720, 170},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{185490, 4350}

func TestBudget(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(asmDir, "*.s"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	sums, all := map[string]budget{}, budget{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		family, _, _ := strings.Cut(filepath.Base(name), "_")
		sum := sums[family]
		sum.lines += bytes.Count(text, []byte("\n"))
		sum.kilobytes += len(text) / 1000
		sums[family] = sum
	}
	check := func(what string, has, may budget) {
		if has.lines > may.lines || has.kilobytes > may.kilobytes {
			t.Errorf("%s has %d lines and %d kB, and may have %d and %d", what, has.lines, has.kilobytes, may.lines, may.kilobytes)
		}
	}
	for family, sum := range sums {
		all.lines += sum.lines
		all.kilobytes += sum.kilobytes
		check(family, sum, budgets[family])
	}
	check("internal/asm", all, budgetOfAll)
	for family := range budgets {
		if _, ok := sums[family]; !ok {
			t.Errorf("%s has a budget and no files", family)
		}
	}
}
