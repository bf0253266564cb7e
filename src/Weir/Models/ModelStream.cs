using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>
/// One attempt at an answer, piece by piece. What says nothing is held back until something does, so that an attempt that has said
/// nothing leaves no trace.
/// </summary>
internal sealed class ModelStream(
    Func<CancellationToken, IAsyncEnumerable<ChatResponseUpdate>> open, TimeSpan timeout, TimeProvider time, CancellationToken ct)
    : IAsyncDisposable
{
    private readonly SilenceLimit _silence = new(timeout, time, ct);
    private readonly Queue<ChatResponseUpdate> _held = new();
    private readonly List<AIContent> _usage = [];
    private IAsyncEnumerator<ChatResponseUpdate>? _updates;
    private ChatFinishReason? _finished;
    private bool _isRefusal;
    private bool _isOver;
    private bool _hasEnded;

    /// <summary>Something was said, and given on.</summary>
    public bool HasSaid { get; private set; }

    /// <summary>Why it is no whole answer; null while it may become one.</summary>
    public ModelException? Failure { get; private set; }

    /// <summary>There is no other attempt: it ended as an answer, or has at least said something.</summary>
    public bool IsAnswer => HasSaid || (_hasEnded && Failure is null or { Failure: ModelFailure.Refused });

    public UsageDetails? Usage => _usage.Count == 0
        ? null : new[] { new ChatResponseUpdate(ChatRole.Assistant, _usage) }.ToChatResponse().Usage;

    /// <summary>Null at the end, whichever it is.</summary>
    public async ValueTask<ChatResponseUpdate?> NextAsync()
    {
        while (!_isOver && (!HasSaid || _held.Count == 0))
        {
            try
            {
                await ReadAsync();
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                _isOver = true;
                Failure = ModelAnswers.Judge(e, _silence);
            }
        }

        // What was held back of an attempt that failed before it said anything is dropped.
        return IsAnswer && _held.TryDequeue(out var update) ? update : null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_updates is not null)
        {
            await _updates.DisposeAsync();
        }

        _silence.Dispose();
    }

    private async Task ReadAsync()
    {
        _updates ??= open(_silence.Token).GetAsyncEnumerator(_silence.Token);
        if (!await _updates.MoveNextAsync())
        {
            _isOver = _hasEnded = true;
            Failure = ModelAnswers.Problem(_finished, HasSaid, _isRefusal);
            return;
        }

        _silence.Restart();
        var update = _updates.Current;
        _finished ??= update.FinishReason;
        _isRefusal |= update.Contents.Any(ModelAnswers.IsRefusal);
        update.Contents = ModelAnswers.Readable(update.Contents);
        _usage.AddRange(update.Contents.OfType<UsageContent>());
        HasSaid |= update.Contents.Any(ModelAnswers.Says);
        _held.Enqueue(update);
    }
}
