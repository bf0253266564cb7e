namespace Weir.Dtma.State;

/// <summary>Why an instance does not run, with a code of <see cref="Weir.Nodes.NodeErrors"/>.</summary>
/// <param name="isFinal">Another attempt would fail alike: no restart until it is deployed again.</param>
internal sealed class InstanceFailure(string code, string message, bool isFinal = false) : Exception(message)
{
    public string Code { get; } = code;

    public bool IsFinal { get; } = isFinal;
}
