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
	"backward":              {3730, 85},
	"blocks":                {6810, 202},
	"constants":             {1210, 58},
	"convert":               {7900, 184},
	"copy":                  {1200, 21},
	"dequantize":            {9680, 210},
	"dequantizeF16BF16":     {7260, 156},
	"dequantizefp":          {5510, 117},
	"dequantizefpF16BF16":   {7150, 154},
	"difference":            {180, 3},
	"dispatch":              {120, 4},
	"errors":                {6200, 161},
	"fakequantize":          {10280, 249},
	"fakequantizeF16BF16":   {9850, 228},
	"fakequantizefp":        {3690, 88},
	"fakequantizefpF16BF16": {5260, 124},
	"learn":                 {440, 10},
	"lookup":                {140, 3},
	"minmax":                {17950, 407},
	"pack":                  {1120, 24},
	"params":                {7010, 165},
	"prepare":               {270, 5},
	"productBF16":           {1850, 44},
	"productF16BF16":        {890, 19},
	"productF16":            {1760, 40},
	"quantize":              {11900, 267},
	"quantizeBF16":          {2570, 58},
	"quantizeF16":           {2520, 56},
	"quantizeF16BF16":       {9040, 197},
	"quantizefp":            {11600, 274},
	"quantizefpF16BF16":     {8050, 181},
	"quotient":              {4030, 89},
	"search":                {4440, 108},
	"shorts":                {3760, 84},
	"sixes":                 {480, 12},
	"stage":                 {1980, 34},
	"stochastic":            {2320, 58},
	"transpose":             {490, 10},
	"writeblocks":           {5720, 170},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{186220, 4359}

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
