namespace Weir.NodeAgent.Bridge;

/// <summary>
/// The outcome of a client's <c>initialize</c>: a session and the response, or the response alone, which then is an error.
/// </summary>
/// <param name="HttpStatus">200, or 503 when there is no room or no server.</param>
/// <param name="RetryAfter">With 503: when to try again; null: in a second.</param>
internal readonly record struct Opened(
    Session? Session, byte[] Response, int HttpStatus = StatusCodes.Status200OK, TimeSpan? RetryAfter = null)
{
    /// <summary>503 with an error of the bridge's own.</summary>
    public static Opened Refuse(MessageParts parts, byte[] message, string text, string mark, TimeSpan? retryAfter = null) => new(
        null, JsonRpc.Error(message.AsSpan()[parts.Id], JsonRpc.InternalError, text, mark), StatusCodes.Status503ServiceUnavailable,
        retryAfter);
}

/// <summary>Who has which child. Two ways: all sessions share one, or each has its own.</summary>
internal interface ISessionHost
{
    /// <summary>Of what waits for this instance.</summary>
    ByteBudget Budget { get; }

    /// <param name="message">The client's initialize request, one line.</param>
    Task<Opened> OpenAsync(MessageParts parts, byte[] message, CancellationToken cancellation);

    Session? Find(string sessionId);

    /// <summary>DELETE by the client, or idle for too long.</summary>
    void Close(Session session);

    /// <summary>The response to a request that is not the child's to answer, or null.</summary>
    byte[]? AnswerLocally(Session session, in MessageParts parts, ReadOnlySpan<byte> message);

    /// <summary>A notification or response of the client.</summary>
    void Take(Session session, in MessageParts parts, byte[] message);

    /// <summary>Ends all sessions and children. False when a child could not be ended.</summary>
    Task<bool> EndAsync();
}
