using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Upstream;

namespace Weir.Gateway.Admission;

/// <summary>A call that the database let pass and has recorded. Open until it is disposed.</summary>
/// <param name="Open">Its place among what its agent and organization have open.</param>
/// <param name="Request">What the request holds of the organization's bytes.</param>
/// <param name="Messages">What its server makes it hold.</param>
/// <param name="Switch">Says when its agent, server, organization or the platform is switched off.</param>
/// <param name="Timeout">How long its server may take; null: as long as any.</param>
internal sealed record AdmittedCall(
    Decision Decision, CallTarget Target, CallOutcome Outcome, IDisposable? Open, ByteAccount Request, ByteAccount Messages,
    SwitchedWork Switch,
    TimeSpan? Timeout) : IDisposable
{
    /// <summary>The server's own name for what is asked.</summary>
    public string Item => Target.Item;

    public void Dispose()
    {
        Open?.Dispose();
        Request.Dispose();
        Messages.Dispose();
        Switch.Dispose();
    }
}
