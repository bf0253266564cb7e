using Weir.Gateway.Names;

namespace Weir.Gateway;

/// <summary>A call that the database let pass and has recorded. Open until it is disposed.</summary>
internal sealed record AdmittedCall(Decision Decision, CallTarget Target, CallRun Run, IDisposable? Open) : IDisposable
{
    /// <summary>The server's own name for what is asked.</summary>
    public string Item => Target.Item;

    public void Dispose() => Open?.Dispose();
}
