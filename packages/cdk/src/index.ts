export * from './image';
export * from './stack';
