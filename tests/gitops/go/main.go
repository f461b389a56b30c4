// Judge reads objects, and says what kstatus, Flux's copy of it, and Flux's CEL make of each.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	upstream "sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type request struct {
	Expressions kustomize.HealthCheckExpressions `json:"expressions"`
	Objects     []json.RawMessage                `json:"objects"`
}

// verdict holds a state each, or "error: ..." where the library gave none.
type verdict struct {
	Kstatus string `json:"kstatus"`
	Flux    string `json:"flux"`
	CEL     string `json:"cel"`
}

func main() {
	if err := answer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer() error {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	expressions, err := cel.NewStatusEvaluator(&asked.Expressions)
	if err != nil {
		return err
	}
	verdicts := make([]verdict, 0, len(asked.Objects))
	for _, raw := range asked.Objects {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return err
		}
		verdicts = append(verdicts, verdict{
			Kstatus: state(func() (string, error) {
				result, err := upstream.Compute(object)
				if err != nil {
					return "", err
				}
				return result.Status.String(), nil
			}),
			Flux: state(func() (string, error) { return text(status.Compute(object)) }),
			CEL:  state(func() (string, error) { return text(expressions.Evaluate(context.Background(), object)) }),
		})
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func text(result *status.Result, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return result.Status.String(), nil
}

// state also outlives a panic: the libraries take some fields for what they should be.
func state(judge func() (string, error)) (found string) {
	defer func() {
		if problem := recover(); problem != nil {
			found = fmt.Sprintf("error: %v", problem)
		}
	}()
	found, err := judge()
	if err != nil {
		return "error: " + err.Error()
	}
	return found
}
