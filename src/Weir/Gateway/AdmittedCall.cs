namespace Weir.Gateway;

/// <summary>A call that the database let pass and has recorded. Open until it is disposed.</summary>
/// <param name="Item">The server's own name for what is asked.</param>
internal sealed record AdmittedCall(Decision Decision, string Item, CallRun Run, IDisposable? Open) : IDisposable
{
    public void Dispose() => Open?.Dispose();
}
