namespace Weir.NodeAgent.State;

/// <summary>
/// Why an instance does not run, with a code of <see cref="Weir.Nodes.NodeErrors"/>. The message is the node's own sentence: it is sent to
/// Weir and shown to admins, so it never quotes what a program printed.
/// </summary>
/// <param name="isFinal">Another attempt would fail alike: no restart until it is deployed again.</param>
internal sealed class InstanceFailure(string code, string message, bool isFinal = false) : Exception(Shown(message))
{
    private const int MaxMessage = 500;

    public string Code { get; } = code;

    public bool IsFinal { get; } = isFinal;

    /// <summary>Final if the server has not run yet. One that has run is started again: the cause may be temporary.</summary>
    public bool IsFinalAtFirst { get; init; }

    /// <summary>What a program printed about it, for the instance's log only: the log's source and the text.</summary>
    public (string Source, string Text)? Printed { get; init; }

    /// <summary>
    /// It may name a package and its executables and is in every heartbeat, so it is short and has only what a log and a database can hold.
    /// </summary>
    private static string Shown(string message)
    {
        var plain = string.Concat(message.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c));
        return plain.Length <= MaxMessage ? plain : plain[..MaxMessage] + "…";
    }
}
