using System.Security.Cryptography;
using Weir.Audit;
using Weir.Gateway.Calls;
using Weir.Upstream;

namespace Weir.Gateway.Admission;

/// <summary>Measures an admitted call and queues its outcome for the audit log, once.</summary>
internal sealed class CallOutcome(AdmissionRequest request, CompletionQueue completions, TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();
    private int _done;

    /// <summary>The request may have reached its server.</summary>
    public bool MayHaveArrived { get; set; }

    public void Complete(UpstreamMessage response)
    {
        var outcome = response.Fields.Error.Exists
            ? Outcomes.ProtocolError : response.Fields.IsToolError ? Outcomes.ToolError : Outcomes.Ok;
        Add(outcome, errorCode: null, response.Bytes);
    }

    public void Complete(string outcome, string? errorCode) => Add(outcome, errorCode, default);

    private void Add(string outcome, string? errorCode, ReadOnlyMemory<byte> response)
    {
        if (Interlocked.Exchange(ref _done, 1) == 1)
        {
            return;
        }

        var hash = response.IsEmpty ? null : SHA256.HashData(response.Span);
        var copy = response.IsEmpty ? null : Redaction.Copy(response.Span);
        completions.Add(new Completion(
            request.Key,
            outcome,
            errorCode,
            (long)time.GetElapsedTime(_started).TotalMicroseconds,
            response.Length,
            hash,
            copy));
    }
}
